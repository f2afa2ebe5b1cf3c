//! What wallets ask.
