"""The paper's protocol: its split, its experiments, its scores."""
