//! Approval: records that bind the digests of a change to the person who let it pass.
//!
//! Takes and gives lines of an append-only, hash-chained log; knows neither network nor clock.
