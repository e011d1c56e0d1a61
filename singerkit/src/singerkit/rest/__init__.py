"""A REST source is a table of rows: endpoints, page styles, bookmarks and rules are values; one engine reads them."""
