//! Wire: the frames that deploy and agent exchange.
