//! Names for what a plan creates beside the user's objects.

use pql_schema::ObjectName;

/// All of them begin with this, and introspection hides them by it.
pub const PREFIX: &str = "_pql_";

/// The schema of PostgreSQL in which everything is kept that no user needs to see.
pub const SCHEMA: &str = "_pql";

/// The longest name in bytes that both databases keep.
const LONGEST: usize = 63;

/// Gives out names that are unique by the migration's tag and a number; what is readable in them is only for people.
#[derive(Debug)]
pub(crate) struct Names {
    tag: String,
    given: usize,
}

impl Names {
    /// Names of the migration with this tag.
    pub(crate) fn new(tag: &str) -> Self {
        let plain: String = tag.chars().filter(char::is_ascii_alphanumeric).collect();
        // A tag that is too long, or not plain, still has to be unique.
        let tag = if plain.len() == tag.len() && (1..=24).contains(&tag.len()) {
            plain.to_ascii_lowercase()
        } else {
            pql_schema::Fingerprint::of_text(tag).0[..16].to_owned()
        };
        Self { tag, given: 0 }
    }

    /// A name that says what it is for.
    pub(crate) fn next(&mut self, kind: &str, about: &str) -> String {
        self.given += 1;
        let mut name = format!("{PREFIX}{}_{}_{kind}_", self.tag, self.given);
        for c in about.chars() {
            if name.len() + c.len_utf8() > LONGEST {
                break;
            }
            name.push(c);
        }
        name
    }

    /// The same for an object in the schema that is PQL's own.
    pub(crate) fn hidden(&mut self, kind: &str, about: &ObjectName) -> ObjectName {
        ObjectName { schema: Some(SCHEMA.to_owned()), name: self.next(kind, &about.name) }
    }

    /// The object's own name in a schema that is made for it alone, where nothing that belongs to it can be in the way
    /// of anything else.
    pub(crate) fn apart(&mut self, kind: &str, object: &ObjectName) -> ObjectName {
        ObjectName { schema: Some(self.next(kind, &object.name)), name: object.name.clone() }
    }

    /// The same for an object in the schema of another.
    pub(crate) fn beside(&mut self, kind: &str, object: &ObjectName) -> ObjectName {
        object.sibling(self.next(kind, &object.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_unique() {
        let mut names = Names::new("a1B2");
        let long = "ü".repeat(60);
        let first = names.next("old", &long);
        let second = names.next("old", &long);
        assert_ne!(first, second);
        assert!(first.len() <= LONGEST && first.starts_with("_pql_a1b2_1_old_ü"));
        assert_ne!(Names::new("x y").next("a", "b"), Names::new("xy").next("a", "b"));
        assert!(Names::new(&"t".repeat(99)).next("shadow", "x").len() <= LONGEST);
    }
}
