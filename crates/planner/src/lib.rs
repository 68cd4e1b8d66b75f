//! AST, schema and capabilities to operations and a plan; pure.
