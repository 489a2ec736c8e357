//! Pace: when to ask again, and how long to wait before that.
//!
//! Decides from an answer's status and headers alone; the clock and the waiting are given from
//! outside, so that tests need no time.
//!
//! # Sources
//! GitHub Docs, Rate limits for the REST API; Best practices for using the REST API.

use http::{HeaderMap, StatusCode};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Waits of the process; what it gives ends when the wait is over.
pub type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The clock, and how to wait.
#[derive(Clone)]
pub struct Pace {
    now: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    wait: Arc<dyn Fn(Duration) -> Waiting + Send + Sync>,
}

impl Pace {
    /// The machine's clock.
    #[must_use]
    pub fn real() -> Self {
        Self {
            now: Arc::new(SystemTime::now),
            wait: Arc::new(|time| Box::pin(tokio::time::sleep(time))),
        }
    }

    /// Another clock.
    #[must_use]
    pub fn new(
        now: impl Fn() -> SystemTime + Send + Sync + 'static,
        wait: impl Fn(Duration) -> Waiting + Send + Sync + 'static,
    ) -> Self {
        Self { now: Arc::new(now), wait: Arc::new(wait) }
    }

    /// The time.
    pub(super) fn now(&self) -> SystemTime {
        (self.now)()
    }

    /// Waits.
    pub(super) async fn wait(&self, time: Duration) {
        (self.wait)(time).await;
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pace")
    }
}

/// How much of everything is spent at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until a connection stands.
    pub connect: Duration,
    /// Until the next bytes of an answer.
    pub read: Duration,
    /// For a whole exchange.
    pub exchange: Duration,
    /// Attempts of one call.
    pub n_attempts: u32,
    /// Waiting before attempts, of all calls of a client together.
    pub patience: Duration,
    /// Bytes of an answer.
    pub n_bytes: usize,
    /// Pages of a list, of 100 entries.
    pub n_pages: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            read: Duration::from_secs(30),
            exchange: Duration::from_secs(120),
            n_attempts: 7,
            patience: Duration::from_secs(300),
            n_bytes: 16 << 20,
            n_pages: 30,
        }
    }
}

/// Next step after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Advice {
    /// It is final.
    Take,
    /// Nothing was done; ask again after this time.
    Limited(Duration),
    /// GitHub stumbled; something may have been done.
    Stumbled(Duration),
}

/// Next step after the answer to attempt `attempt`, which counts from 0.
pub(super) fn advise(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: SystemTime,
    attempt: u32,
) -> Advice {
    let retry_after = header_duration(headers, "retry-after");
    match status.as_u16() {
        500 | 502..=504 => Advice::Stumbled(retry_after.unwrap_or_else(|| backoff(attempt))),
        429 => {
            Advice::Limited(retry_after.unwrap_or_else(|| rate_limit_wait(headers, now, attempt)))
        }
        403 => match retry_after {
            Some(retry_after) => Advice::Limited(retry_after),
            None if is_used_up(headers) || is_rate_limit_message(body) => {
                Advice::Limited(rate_limit_wait(headers, now, attempt))
            }
            None => Advice::Take,
        },
        _ => Advice::Take,
    }
}

/// How long to wait after a stumble: 1, 2, 4 … seconds.
pub(super) fn backoff(attempt: u32) -> Duration {
    Duration::from_secs(1 << attempt.min(5))
}

fn rate_limit_wait(headers: &HeaderMap, now: SystemTime, attempt: u32) -> Duration {
    let reset = header_duration(headers, "x-ratelimit-reset").filter(|_| is_used_up(headers));
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    match reset {
        // A second more, since both clocks count whole ones.
        Some(reset) => reset.saturating_sub(now) + Duration::from_secs(1),
        // What GitHub asks for where its answer names no time: a minute, then longer each time.
        None => Duration::from_secs(60 << attempt.min(5)),
    }
}

fn is_used_up(headers: &HeaderMap) -> bool {
    header_duration(headers, "x-ratelimit-remaining") == Some(Duration::ZERO)
}

fn is_rate_limit_message(body: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&body[..body.len().min(2000)]).to_lowercase();
    start.contains("rate limit") || start.contains("abuse detection")
}

fn header_duration(headers: &HeaderMap, name: &str) -> Option<Duration> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    text.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, headers: &[(&'static str, &'static str)], body: &str, advice: Advice) {
        let map =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let map: HeaderMap = map.collect();
        let now = UNIX_EPOCH + Duration::from_secs(1000);
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(advise(status, &map, body.as_bytes(), now, 1), advice);
    }

    #[test]
    fn answers_say_when_to_ask_again() {
        let limited = |seconds| Advice::Limited(Duration::from_secs(seconds));
        check(200, &[], "", Advice::Take);
        check(404, &[], "", Advice::Take);
        check(422, &[], "", Advice::Take);
        check(403, &[], "Resource not accessible by integration", Advice::Take);
        check(403, &[("retry-after", "7")], "", limited(7));
        check(429, &[("retry-after", "7")], "", limited(7));
        check(403, &[], "You have exceeded a secondary rate limit", limited(120));
        let headers = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1030")];
        check(403, &headers, "", limited(31));
        check(429, &headers, "", limited(31));
        check(429, &[("retry-after", "x")], "", limited(120));
        check(502, &[], "<html>", Advice::Stumbled(Duration::from_secs(2)));
        check(503, &[("retry-after", "9")], "", Advice::Stumbled(Duration::from_secs(9)));
    }

    #[test]
    fn a_reset_in_the_past_is_not_waited_for() {
        let headers = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "3")];
        check(403, &headers, "", Advice::Limited(Duration::from_secs(1)));
    }
}
