"""One picture a file: its data as a frozen dataclass, and how it is drawn."""
