"""From tables to what people read: records, the view of a page, and the page. Each step its own file."""
