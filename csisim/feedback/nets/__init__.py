"""Neural codecs, one file each: the network (torch) and its configuration. Importing one imports torch; nothing else does."""
