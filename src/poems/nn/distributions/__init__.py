"""Pure tensor maths: fusion, posteriors, spike-and-slab lasso."""
