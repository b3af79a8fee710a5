"""From the inbox to the tables: `wiring` spreads the work, `flow` says what comes after what."""
