"""The page of the whole cluster: `build` makes its view from the tables, `document` the figures as JSON and
CSV. Labs are counted as columns: of a hundred thousand jobs none becomes a value."""
