//! The process that is killed: this same program, told by its environment what to do.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use pql_engine::{Engine, OpenOptions, RollbackTarget, Silent, fault};
use pql_schema::MigrationId;

use crate::support::run::{Variant, shown};
use crate::template::Task;

/// The variable that says what to do: the task, the variant's number, the migration and the database's file.
const VARIABLE: &str = "PQL_CRASH_CHILD";

/// Runs a task in a process of its own, with a fault, and gives how that ended and what it said.
pub(crate) fn run(
    task: Task,
    variant: Variant,
    id: MigrationId,
    file: &Path,
    fault: &str,
) -> (ExitStatus, String) {
    let output = Command::new(std::env::current_exe().expect("this program has a file"))
        .args(["--exact", "child::works", "--nocapture"])
        .env(VARIABLE, order(task, variant, id, file))
        .env(fault::VARIABLE, fault)
        .stdout(Stdio::null())
        .output()
        .expect("a child process");
    (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The same in a process whose files end after so many blocks of 512 bytes: the write that reaches the end is cut short,
/// as on a disk that fills up.
pub(crate) fn run_on_small_disk(
    task: Task,
    variant: Variant,
    id: MigrationId,
    file: &Path,
    blocks: u64,
) -> (ExitStatus, String) {
    let program = std::env::current_exe().expect("this program has a file");
    let output = Command::new("sh")
        // Without the trap the signal would kill the process before the write could fail.
        .args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks} || exit 9; exec \"$0\" \"$@\"")])
        .arg(program)
        .args(["--exact", "child::works", "--nocapture"])
        .env(VARIABLE, order(task, variant, id, file))
        .stdout(Stdio::null())
        .output()
        .expect("a child process");
    (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
}

fn order(task: Task, variant: Variant, id: MigrationId, file: &Path) -> String {
    let word = match task {
        Task::Apply => "apply",
        Task::Rollback => "rollback",
    };
    format!("{word} {} {id} {}", variant as u8, file.display())
}

/// Does what the environment asks for; in the program that runs the tests that is nothing.
#[test]
fn works() {
    let Ok(order) = std::env::var(VARIABLE) else { return };
    let mut words = order.splitn(4, ' ');
    let mut word = || words.next().expect("four words");
    let (task, variant, id, file) = (word(), word(), word(), word());
    let variant = match variant {
        "0" => Variant::Online,
        "1" => Variant::NoStall,
        _ => Variant::Offline,
    };
    let id: MigrationId = id.parse().expect("a migration");
    let mut engine = Engine::open(file, &OpenOptions::default()).expect("a database");
    let options = variant.options();
    let outcome = match task {
        "apply" => engine.apply(id, &options, &mut Silent).map(drop),
        _ => engine.rollback(RollbackTarget::Migration(id), &options, &mut Silent).map(drop),
    };
    outcome.unwrap_or_else(|error| panic!("{}", shown(&error)));
}
