//! Ctrl-C: the first one asks the work to finish gracefully, the second one ends the process.

use std::sync::OnceLock;

use indago_core::Cancel;

/// The flag that Ctrl-C sets. The handler is installed once per process.
pub(super) fn cancel() -> Cancel {
    static CANCEL: OnceLock<Cancel> = OnceLock::new();
    CANCEL.get_or_init(install).clone()
}

fn install() -> Cancel {
    let cancel = Cancel::new();
    let flag = cancel.clone();
    // Without a watcher Ctrl-C ends the process at once, which is safe too: indexes and journals
    // are published in one step.
    let watcher = std::thread::Builder::new()
        .name("ctrl-c".to_owned())
        .spawn(move || watch(&flag));
    if let Err(error) = watcher {
        tracing::warn!(%error, "Ctrl-C will not be graceful");
    }
    cancel
}

fn watch(flag: &Cancel) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else { return };
    runtime.block_on(async {
        if tokio::signal::ctrl_c().await.is_err() {
            return;
        }
        flag.cancel();
        if tokio::signal::ctrl_c().await.is_ok() {
            #[expect(
                clippy::exit,
                reason = "the second Ctrl-C means now, wherever the work is"
            )]
            std::process::exit(i32::from(super::Exit::Cancelled.code()));
        }
    });
}
