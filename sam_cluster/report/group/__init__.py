"""The page of one lab: `build` makes its view from the tables, `document` the figures as JSON and CSV."""
