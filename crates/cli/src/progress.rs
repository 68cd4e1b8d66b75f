//! How a running migration looks: a line that is drawn over and over on a terminal, JSON lines for programs.

use std::time::Duration;

use pql::RunProgress;
use serde_json::json;

use crate::render::Ui;

/// Cells of the bar.
const WIDTH: usize = 20;

/// The display of one script's migrations.
#[derive(Debug)]
pub(crate) struct Progress {
    form: Form,
    drawn: bool,
    running: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Bar(usize),
    Json,
    Nothing,
}

impl Progress {
    /// As the options and the terminal allow.
    pub(crate) fn new(ui: &Ui) -> Self {
        let form = if ui.quiet {
            Form::Nothing
        } else if ui.is_json() {
            Form::Json
        } else if ui.terminal.can_redraw() {
            Form::Bar(ui.terminal.width.unwrap_or(80))
        } else {
            Form::Nothing
        };
        Self { form, drawn: false, running: false }
    }

    /// Whether a migration is under way.
    pub(crate) fn is_running(&self) -> bool {
        self.running
    }

    /// Shows where it is, if the line is free.
    pub(crate) fn show(&mut self, progress: &RunProgress, free: bool) {
        self.running = true;
        match self.form {
            Form::Bar(width) if free => {
                let line: String = bar(progress).chars().take(width.saturating_sub(1)).collect();
                eprint!("\r{line}\u{1b}[K");
                self.drawn = true;
            }
            Form::Json => eprintln!("{}", to_json(progress)),
            Form::Bar(_) | Form::Nothing => {}
        }
    }

    /// Takes the line away; what comes next starts on a clean one.
    pub(crate) fn clear(&mut self) {
        self.running = false;
        if std::mem::take(&mut self.drawn) {
            eprint!("\r\u{1b}[K");
        }
    }
}

/// One line for people.
pub(crate) fn bar(progress: &RunProgress) -> String {
    let verb = if progress.undoing { "undo " } else { "" };
    let mut line =
        format!("{verb}{} {}/{} {}", progress.phase, progress.step, progress.steps, progress.action);
    if let Some(total) = progress.total.filter(|total| *total > 0) {
        let share = fraction(progress.rows, total);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "between 0 and WIDTH"
        )]
        let full = (share * WIDTH as f64).round() as usize;
        let bar = format!("{}{}", "█".repeat(full), "░".repeat(WIDTH - full));
        line = format!("{line} {bar} {:.0}% {}/{} rows", share * 100.0, progress.rows, total);
        let left = total.saturating_sub(progress.rows);
        if progress.rows_per_second > 1.0 && left > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a time for people")]
            let seconds = left as f64 / progress.rows_per_second;
            line = format!(
                "{line} {:.0}/s {} left",
                progress.rows_per_second,
                brief(Duration::from_secs_f64(seconds))
            );
        }
    } else if progress.rows > 0 {
        line = format!("{line} {} rows {:.0}/s", progress.rows, progress.rows_per_second);
    }
    if !progress.longest_lock.is_zero() {
        line = format!("{line} longest lock {:.1} ms", progress.longest_lock.as_secs_f64() * 1e3);
    }
    if let Some(what) = &progress.waiting {
        line = format!("{line} waits for {what}");
    }
    line
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn fraction(part: u64, whole: u64) -> f64 {
    (part as f64 / whole as f64).clamp(0.0, 1.0)
}

fn brief(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        seconds => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// One object for programs.
fn to_json(progress: &RunProgress) -> serde_json::Value {
    json!({"progress": {
        "migration_id": progress.migration_id,
        "undoing": progress.undoing,
        "phase": progress.phase,
        "action": progress.action,
        "step": progress.step,
        "steps": progress.steps,
        "rows": progress.rows,
        "total": progress.total,
        "rows_per_second": progress.rows_per_second.round(),
        "elapsed_ms": progress.elapsed.as_millis(),
        "longest_lock_ms": progress.longest_lock.as_secs_f64() * 1e3,
        "waiting": progress.waiting,
    }})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress() -> RunProgress {
        RunProgress {
            migration_id: "0190a1b2-0000-7000-8000-000000000001".parse().expect("an id"),
            undoing: false,
            phase: "backfill",
            action: "backfill",
            step: 2,
            steps: 5,
            rows: 250,
            total: Some(1_000),
            rows_per_second: 100.0,
            elapsed: Duration::from_millis(2_500),
            longest_lock: Duration::from_micros(1_200),
            waiting: None,
        }
    }

    #[test]
    fn people_see_how_far_it_is_and_how_long_it_takes() {
        assert_eq!(
            bar(&progress()),
            "backfill 2/5 backfill █████░░░░░░░░░░░░░░░ 25% 250/1000 rows 100/s 7s left longest lock 1.2 ms"
        );
        let waiting = RunProgress { total: None, waiting: Some("a writer".to_owned()), ..progress() };
        assert!(bar(&waiting).ends_with("waits for a writer"));
    }

    #[test]
    fn programs_see_the_same() {
        let json = to_json(&progress());
        assert_eq!(json["progress"]["rows"], 250);
        assert_eq!(json["progress"]["elapsed_ms"], 2_500);
        assert_eq!(json["progress"]["longest_lock_ms"], 1.2);
    }
}
