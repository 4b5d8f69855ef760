//! An endpoint for measurements, on a thread of its own that ends with this process.

use axum::Router;
use tokio::net::TcpListener;

use super::failed;
use crate::error::Result;

/// The name of its thread, whose work is none of ours.
pub const THREAD: &str = "stub";

/// Serves, and returns where: `http://127.0.0.1:PORT`.
pub fn serve(app: Router) -> Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| failed("the endpoint", e))?;
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)));
    let listener = listener.map_err(|e| failed("the endpoint", e))?;
    let url = listener.local_addr().map_err(|e| failed("the endpoint", e))?;
    let serve = move || {
        let _ = runtime.block_on(axum::serve(listener, app).into_future());
    };
    std::thread::Builder::new()
        .name(THREAD.into())
        .spawn(serve)
        .map_err(|e| failed("the endpoint", e))?;
    Ok(format!("http://{url}"))
}
