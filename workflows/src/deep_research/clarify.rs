//! How the question is meant: asked back before anything starts, assumed when nobody answers.

use indago_core::ports::{TaskCtx, TaskError, TaskKey, TaskSet};
use indago_core::{Event, Steering};
use serde_json::Value;

use super::driver::Driver;
use super::{ClarifyInput, ControlInput, Looked, from_value, steering_signal, to_value};

impl Driver {
    /// Settles the reading of the question before the plan begins, where that is asked for.
    /// Whatever else somebody steers meanwhile is obeyed afterwards, in order.
    pub(super) async fn clarify(&mut self, cx: &mut dyn TaskCtx) -> Result<(), TaskError> {
        let Some(wait_ms) = self.input.clarify_ms else {
            return Ok(());
        };
        let input = ClarifyInput {
            question: self.input.question.clone(),
            allowance: self.allowance(),
        };
        let looked = child(cx, "clarify", "clarify", to_value(&input)?).await;
        let looked = match looked.and_then(|looked| from_value::<Looked>("clarify", looked)) {
            Ok(looked) => looked,
            Err(TaskError::Cancelled) => return Err(TaskError::Cancelled),
            Err(error) => Looked {
                failed: Some(error.to_string()),
                ..Looked::default()
            },
        };
        if let Some(reason) = looked.failed {
            // A question that cannot be looked at is taken as it stands.
            let message = format!("whether the question is ambiguous is not known: {reason}");
            cx.emit(Event::Warned { message });
        }
        let asked = looked.asked.filter(|asked| !asked.readings.is_empty());
        let Some(asked) = asked else {
            self.spent(cx, looked.usage);
            return Ok(());
        };
        let assumed = asked.assumed();
        cx.emit(Event::Clarifying {
            question: asked.question.clone(),
            options: asked.readings.iter().map(|r| r.reading.clone()).collect(),
            assumed: assumed.reading.clone(),
        });
        let answer = self.await_reading(cx, wait_ms).await?;
        let (reading, is_assumed) = match answer {
            Some(words) => (asked.read(&self.input.question, &words), false),
            None => (assumed, true),
        };
        cx.emit(Event::Clarified {
            reading: reading.reading,
            is_assumed,
        });
        self.begin_with(cx, reading.question);
        // Not before: it is the books of the plan that begins now.
        self.spent(cx, looked.usage);
        Ok(())
    }

    /// The words of whoever answers within `wait_ms`.
    async fn await_reading(
        &mut self,
        cx: &mut dyn TaskCtx,
        wait_ms: u64,
    ) -> Result<Option<String>, TaskError> {
        let until_ms = cx.now_ms().saturating_add(wait_ms);
        let mut now_ms = cx.now_ms();
        while now_ms < until_ms {
            let input = ControlInput {
                signal: steering_signal(self.steerings),
                timeout_ms: until_ms - now_ms,
            };
            let key = format!("clarify-{}", self.steerings);
            let mut sent = child(cx, "control", &key, to_value(&input)?).await?;
            if sent == Value::Null {
                return Ok(None);
            }
            self.steerings += 1;
            match from_value::<Steering>("control", sent["value"].take()) {
                Ok(steering) => {
                    cx.emit(Event::Steered {
                        steering: steering.clone(),
                    });
                    match steering {
                        Steering::Clarify { reading } => return Ok(Some(reading)),
                        // Whoever ends the run or lets it go on does not wait for an answer.
                        ends @ (Steering::Cancel
                        | Steering::FinishNow
                        | Steering::Approve
                        | Steering::Resume) => {
                            self.early.push(ends);
                            return Ok(None);
                        }
                        later => self.early.push(later),
                    }
                }
                Err(error) => cx.emit(Event::Warned {
                    message: error.to_string(),
                }),
            }
            now_ms = cx.now_ms();
        }
        Ok(None)
    }
}

/// Runs one child task to its end.
async fn child(
    cx: &mut dyn TaskCtx,
    task: &str,
    key: &str,
    input: Value,
) -> Result<Value, TaskError> {
    let mut set = TaskSet::default();
    cx.spawn(task, TaskKey(key.to_owned()), input, &mut set)
        .await?;
    match cx.next_done(&mut set).await {
        Some((_, output)) => output,
        None => Err(TaskError::Terminal(format!("the task `{task}` is gone"))),
    }
}
