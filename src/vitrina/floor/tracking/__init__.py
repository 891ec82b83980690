"""The same person through time in one camera, from anyone's boxes; MOT-challenge files. Pure but for `mot`."""
