"""Results on disk: tables, figures and self-contained HTML, each written whole or not at all."""
