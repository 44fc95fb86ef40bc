"""Tests that analyses share, and which columns of the obs table they fit."""
