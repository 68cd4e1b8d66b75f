//! PQL text to a lossless tree, a typed AST, diagnostics and a formatter.
