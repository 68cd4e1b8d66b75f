//! Any bytes at all: no panic, no byte lost, spans within the text, formatting stable.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pql_syntax::{format, parse, parse_bytes};

fuzz_target!(|bytes: &[u8]| {
    let Ok(source) = str::from_utf8(bytes) else {
        let diagnostic = parse_bytes(bytes).err().expect("what is no UTF-8 is refused");
        assert!(diagnostic.span.end <= bytes.len());
        return;
    };
    let tree = parse(source);
    assert!(tree.syntax().text() == source, "the tree loses text");
    for diagnostic in tree.diagnostics() {
        assert!(source.get(diagnostic.span.clone()).is_some(), "a span lies outside of the text");
    }
    if let Ok(once) = format(source) {
        assert_eq!(format(&once).as_ref(), Ok(&once), "formatting twice differs from once");
    }
});
