"""Clusters of any points: networks of samples, coordinates, k-means, agreement with labels."""
