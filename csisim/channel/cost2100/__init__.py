"""The COST 2100 channel model, natively: implemented from its equations, compared with the output of the public MATLAB code."""
