"""3GPP NR codebooks (TS 38.214, 5.2.2.2): reports of content ``precoder``."""
