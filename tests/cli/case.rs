//! Runs the lines of a case, each in the case's own directory.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::Connection;
use rusqlite::types::ValueRef;

/// Everything that the case's lines show, in order.
pub(crate) fn run(text: &str) -> String {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix(">>> ") {
            let mut content = String::new();
            while let Some(line) =
                lines.next_if(|line| !line.starts_with([('$'), '%', '!']) && !line.starts_with(">>>"))
            {
                content.push_str(line);
                content.push('\n');
            }
            let path = directory.path().join(name.trim());
            fs::create_dir_all(path.parent().expect("a file lies in a directory")).expect("a directory");
            fs::write(path, content).expect("a file of the case");
        } else if let Some(command) = line.strip_prefix("$ ") {
            writeln!(out, "{line}").expect("a string takes any text");
            program(&mut out, directory.path(), command);
        } else if let Some(rest) = line.strip_prefix("% ") {
            writeln!(out, "{line}").expect("a string takes any text");
            sql(&mut out, directory.path(), rest);
        } else if let Some(rest) = line.strip_prefix("!! ") {
            let (name, change) = rest.split_once(' ').expect("`!! FILE old => new`");
            let (old, new) = change.split_once(" => ").expect("`!! FILE old => new`");
            let path = directory.path().join(name);
            let content = fs::read_to_string(&path).expect("the file to change");
            assert!(content.contains(old), "{name} has no {old:?}");
            fs::write(path, content.replace(old, new)).expect("the changed file");
        } else if let Some(name) = line.strip_prefix("! ") {
            let content = fs::read_to_string(directory.path().join(name)).expect("the file to show");
            write!(out, "{line}\n{content}").expect("a string takes any text");
        } else {
            writeln!(out, "{line}").expect("a string takes any text");
        }
    }
    let place = directory.path().display().to_string();
    out.replace(&place, "DIRECTORY")
}

fn program(out: &mut String, directory: &Path, line: &str) {
    let mut words = split(line);
    let mut command = Command::new(env!("CARGO_BIN_EXE_pql"));
    command.current_dir(directory).env_clear().env("HOME", directory).env("PATH", "/nowhere");
    while let Some((name, value)) = words.first().and_then(|word| word.split_once('=')) {
        command.env(name, value);
        words.remove(0);
    }
    assert_eq!(words.first().map(String::as_str), Some("pql"), "a line runs pql: {line}");
    words.remove(0);
    let input = words.iter().position(|word| word == "<").map(|at| words.split_off(at)[1].clone());
    let stdin = match input {
        Some(file) => Stdio::from(File::open(directory.join(file)).expect("the file for standard input")),
        None => Stdio::null(),
    };
    let output = command.args(&words).stdin(stdin).output().expect("the program starts");
    out.push_str(&String::from_utf8_lossy(&output.stdout));
    let stderr = String::from_utf8_lossy(&output.stderr);
    // How often progress is reported depends on the machine.
    let stderr: String =
        stderr.split_inclusive('\n').filter(|line| !line.starts_with("{\"progress\"")).collect();
    if !stderr.is_empty() {
        write!(out, "[standard error]\n{stderr}").expect("a string takes any text");
    }
    if !output.status.success() {
        writeln!(out, "[exit {}]", output.status.code().unwrap_or(-1)).expect("a string takes any text");
    }
    out.push('\n');
}

fn sql(out: &mut String, directory: &Path, rest: &str) {
    let (file, sql) = rest.split_once(' ').expect("`% FILE SQL`");
    let connection = Connection::open(directory.join(file)).expect("the database");
    let mut statement = match connection.prepare(sql) {
        Ok(statement) => statement,
        Err(error) => {
            // Several statements, or one that SQLite refuses.
            let result = connection.execute_batch(sql);
            assert!(result.is_ok(), "{sql}: {error}");
            return;
        }
    };
    let columns = statement.column_count();
    let mut rows = statement.query([]).expect("SQL that runs");
    while let Some(row) = rows.next().expect("a row") {
        let values: Vec<String> = (0..columns)
            .map(|at| match row.get_ref(at).expect("a value") {
                ValueRef::Null => "NULL".to_owned(),
                ValueRef::Integer(number) => number.to_string(),
                ValueRef::Real(number) => format!("{number:?}"),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                ValueRef::Blob(bytes) => format!("{} bytes", bytes.len()),
            })
            .collect();
        writeln!(out, "{}", values.join("|")).expect("a string takes any text");
    }
    out.push('\n');
}

/// Words as a shell takes them apart: blanks separate, quotes hold together.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
