//! What organisations and the platform ask.
