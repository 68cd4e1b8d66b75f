//! A set of grammar rules in the user's words.

use crate::SyntaxKind;

/// How many things a message lists before it stops.
const LISTED: usize = 8;

/// What is expected when a statement is complete.
pub(crate) const END: &str = "the end of the statement";

/// What may stand at a place: "`,` or `)`". `None` when nothing worth saying is left.
pub(crate) fn list(expected: &[SyntaxKind]) -> Option<String> {
    let mut rest: Vec<SyntaxKind> = expected.to_vec();
    let mut phrases: Vec<String> = Vec::new();
    drop_tail(&mut rest);
    if rest.contains(&SyntaxKind::type_word) {
        // SQLite takes a string for a type; nobody should.
        rest.retain(|kind| *kind != SyntaxKind::string);
    }
    for (phrase, members, least) in GROUPS {
        if members.iter().filter(|member| rest.contains(member)).count() >= *least {
            rest.retain(|kind| !members.contains(kind));
            phrases.push((*phrase).to_owned());
        }
    }
    // What only continues the thing before is worth a word when nothing else could follow.
    let strong: Vec<SyntaxKind> = rest.iter().copied().filter(|kind| !CONTINUATIONS.contains(kind)).collect();
    if !strong.is_empty() || !phrases.is_empty() {
        rest = strong;
    }
    for kind in rest {
        let phrase = phrase(kind);
        if !phrases.contains(&phrase) {
            phrases.push(phrase);
        }
    }
    join(&phrases)
}

fn join(phrases: &[String]) -> Option<String> {
    match phrases {
        [] => None,
        [only] => Some(only.clone()),
        many if many.len() > LISTED => Some(format!("{} or something else", many[..LISTED].join(", "))),
        [most @ .., last] => Some(format!("{} or {last}", most.join(", "))),
    }
}

/// After a type or a name in an expression, what would make it longer hides what the user should write.
fn drop_tail(rest: &mut Vec<SyntaxKind>) {
    use SyntaxKind as K;
    let goes_on = [K::EOI, K::comma, K::r_paren].iter().any(|kind| rest.contains(kind));
    if rest.contains(&K::operator) && goes_on {
        rest.retain(|kind| !matches!(kind, K::string | K::l_paren | K::kw_with | K::kw_without));
        rest.retain(|kind| !matches!(kind, K::kw_for | K::kw_from | K::kw_placing | K::kw_order));
    } else if rest.contains(&K::l_bracket) && rest.contains(&K::l_paren) {
        rest.retain(|kind| !matches!(kind, K::type_word | K::l_paren | K::l_bracket | K::dot));
    }
}

/// Rules that continue what stands before: nobody misses them.
const CONTINUATIONS: &[SyntaxKind] = &[
    SyntaxKind::dot,
    SyntaxKind::star,
    SyntaxKind::cast_sign,
    SyntaxKind::l_bracket,
    SyntaxKind::native_param,
    SyntaxKind::drop_behavior,
    SyntaxKind::kw_renamed,
    SyntaxKind::kw_concurrently,
    SyntaxKind::kw_inherits,
    SyntaxKind::kw_tablespace,
    SyntaxKind::conflict,
    SyntaxKind::kw_collection,
    SyntaxKind::kw_if,
];

/// A phrase for many rules at once, if at least so many of them are expected.
const GROUPS: &[(&str, &[SyntaxKind], usize)] = &[
    (
        "a constraint of the column such as `NOT NULL` or `DEFAULT`",
        &[
            SyntaxKind::kw_not,
            SyntaxKind::kw_null,
            SyntaxKind::kw_default,
            SyntaxKind::kw_primary,
            SyntaxKind::kw_references,
            SyntaxKind::kw_unique,
            SyntaxKind::kw_check,
            SyntaxKind::kw_collate,
            SyntaxKind::kw_generated,
            SyntaxKind::kw_constraint,
            SyntaxKind::kw_backfill,
            SyntaxKind::kw_renamed,
            SyntaxKind::kw_storage,
            SyntaxKind::kw_compression,
            SyntaxKind::kw_on,
            SyntaxKind::kw_nulls,
            SyntaxKind::kw_match,
            SyntaxKind::kw_no,
            SyntaxKind::kw_asc,
            SyntaxKind::kw_desc,
            SyntaxKind::kw_autoincrement,
            SyntaxKind::identity,
            SyntaxKind::generated,
            SyntaxKind::deferrable,
        ],
        7,
    ),
    (
        "an operator",
        &[
            SyntaxKind::operator,
            SyntaxKind::infix_start,
            SyntaxKind::kw_and,
            SyntaxKind::kw_or,
            SyntaxKind::kw_is,
            SyntaxKind::kw_not,
            SyntaxKind::kw_in,
            SyntaxKind::kw_like,
            SyntaxKind::kw_ilike,
            SyntaxKind::kw_between,
            SyntaxKind::kw_glob,
            SyntaxKind::kw_regexp,
            SyntaxKind::kw_match,
            SyntaxKind::kw_similar,
            SyntaxKind::kw_escape,
            SyntaxKind::kw_overlaps,
            SyntaxKind::kw_operator,
            SyntaxKind::kw_isnull,
            SyntaxKind::kw_notnull,
            SyntaxKind::kw_collate,
            SyntaxKind::kw_at,
            SyntaxKind::cast_sign,
            SyntaxKind::l_bracket,
            SyntaxKind::dot,
        ],
        6,
    ),
    (
        "a number",
        &[SyntaxKind::name, SyntaxKind::string, SyntaxKind::number, SyntaxKind::plus, SyntaxKind::minus],
        5,
    ),
    (
        "an expression",
        &[
            SyntaxKind::string,
            SyntaxKind::number,
            SyntaxKind::param,
            SyntaxKind::native_param,
            SyntaxKind::operator,
            SyntaxKind::l_paren,
            SyntaxKind::kw_not,
            SyntaxKind::star,
            SyntaxKind::name,
        ],
        5,
    ),
    ("a name", &[SyntaxKind::name, SyntaxKind::string], 2),
    (
        "an operation such as `ADD COLUMN` or `DROP INDEX`",
        &[
            SyntaxKind::kw_add,
            SyntaxKind::kw_change,
            SyntaxKind::kw_create,
            SyntaxKind::kw_drop,
            SyntaxKind::kw_execute,
            SyntaxKind::kw_rename,
            SyntaxKind::kw_set,
        ],
        6,
    ),
    (
        "an action such as `APPLY`, `DETECT`, `GENERATE`, `PLAN`, `ROLLBACK` or `STATUS`",
        &[
            SyntaxKind::kw_apply,
            SyntaxKind::kw_baseline,
            SyntaxKind::kw_cancel,
            SyntaxKind::kw_detect,
            SyntaxKind::kw_generate,
            SyntaxKind::kw_history,
            SyntaxKind::kw_pause,
            SyntaxKind::kw_plan,
            SyntaxKind::kw_purge,
            SyntaxKind::kw_resume,
            SyntaxKind::kw_rollback,
            SyntaxKind::kw_status,
            SyntaxKind::kw_verify,
        ],
        10,
    ),
];

fn phrase(kind: SyntaxKind) -> String {
    use SyntaxKind as K;
    if let Some(keyword) = kind.keyword() {
        return format!(
            "`{}`",
            if LOWER_CASE.contains(&kind) { keyword.to_owned() } else { keyword.to_uppercase() }
        );
    }
    match kind {
        K::EOI => END,
        K::name | K::qualified_name | K::word => "a name",
        K::param => "a parameter such as `@name`",
        K::string => "a string in quotes",
        K::number => "a number",
        K::uuid => "a migration's id",
        K::l_paren | K::type_args | K::raw_parens => "`(`",
        K::r_paren => "`)`",
        K::l_brace => "`{`",
        K::r_brace => "`}`",
        K::l_bracket => "`[`",
        K::r_bracket => "`]`",
        K::comma => "`,`",
        K::dot => "`.`",
        K::colon => "`:`",
        K::eq => "`=`",
        K::star => "`*`",
        K::plus | K::minus => "a sign",
        K::cast_sign | K::operator | K::assign | K::infix_start => "an operator",
        K::type_name | K::cast_type | K::type_word => "a type",
        K::expr
        | K::b_expr
        | K::index_expr
        | K::inner_query
        | K::native_param
        | K::special_operand
        | K::string_prefix
        | K::array_start
        | K::markup
        | K::query_start => "an expression",
        K::column_def | K::field_def | K::typed_column => "a column",
        K::table_constraint => "a constraint",
        K::table_body => "`(` and the columns",
        K::column_list | K::key_columns => "a list of columns in parentheses",
        K::index_element => "a column or an expression",
        K::index_def => "the index's name",
        K::query | K::op_query => "a query",
        K::column_path | K::owner => "`table.column`",
        K::schema_source => "`FILE 'path'`, a parameter or the schema's text in quotes",
        K::setting_value => "a value",
        K::option => "an option",
        K::with_options => "`WITH`",
        K::migration_id => "`migration_id`",
        K::drop_behavior => "`CASCADE` or `RESTRICT`",
        K::generated => "`GENERATED`",
        K::identity => "`AS IDENTITY`",
        K::deferrable => "`DEFERRABLE`",
        K::if_exists => "`IF EXISTS`",
        K::if_not_exists => "`IF NOT EXISTS`",
        K::conflict => "`ON CONFLICT`",
        _ => "something else",
    }
    .to_owned()
}

/// Words that people write in lower case: they stand for a setting, not for a verb.
const LOWER_CASE: &[SyntaxKind] =
    &[SyntaxKind::kw_migration_id, SyntaxKind::kw_schema_version, SyntaxKind::kw_application_schema];

/// The keywords by which the expected rules begin: candidates for a misspelt word.
pub(crate) fn keywords(expected: &[SyntaxKind]) -> Vec<&'static str> {
    use SyntaxKind as K;
    let mut words = Vec::new();
    for &kind in expected {
        words.extend(kind.keyword());
        words.extend_from_slice(match kind {
            K::drop_behavior => &["cascade", "restrict"],
            K::generated | K::identity => &["generated", "as"],
            K::deferrable => &["deferrable", "initially"],
            K::table_constraint | K::column_def => {
                &["constraint", "primary", "foreign", "unique", "check", "exclude", "column"]
            }
            K::type_name => &["type"],
            K::schema_source => &["file"],
            K::setting_value => &["default", "true", "false", "file"],
            K::kw_modify => UNMANAGED_ACTIONS,
            _ => &[],
        });
    }
    words
}

/// Actions of ALTER TABLE that are the database's own.
pub(crate) const UNMANAGED_ACTIONS: &[&str] = &[
    "owner", "enable", "disable", "force", "inherit", "cluster", "replica", "attach", "detach", "validate",
    "reset", "set", "of", "no",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_that_can_be_expected_has_words_of_its_own() {
        assert_eq!(list(&[SyntaxKind::comma, SyntaxKind::r_paren]).as_deref(), Some("`,` or `)`"));
        assert_eq!(
            list(&[SyntaxKind::dot]).as_deref(),
            Some("`.`"),
            "a continuation, when nothing else is left"
        );
        assert_eq!(list(&[SyntaxKind::dot, SyntaxKind::kw_on]).as_deref(), Some("`ON`"));
        assert_eq!(list(&[SyntaxKind::kw_migration_id]).as_deref(), Some("`migration_id`"));
        assert_eq!(list(&[]), None);
    }
}
