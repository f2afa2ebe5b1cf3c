//! Key proofs that real wallets sent, verbatim. The codes and nonces in them are expired material of a public test issuer.

/// Key proof of wallet A: `jwk` in the header, no `iss`.
pub(crate) const PROOF_A2: &str = concat!(
    "eyJhbGciOiJFUzI1NiIsInR5cCI6Im9wZW5pZDR2Y2ktcHJvb2Yrand0IiwiandrIjp7Imt0eSI6IkVDIiwia2lkIjoiN2QyODhjNDMtMjY0",
    "OS00NmE3LThlM2YtM2IxYWEwOWRjZWRmIiwiY3J2IjoiUC0yNTYiLCJ4IjoiYzFvTjBaYXBTVWp6REE1dmU2OEZlTGFQc2ZqU2hlY21iMDda",
    "aWZrQ3ZKWSIsInkiOiI1bkh0NWNMWkhWTloxZW5iY3lFaHZnWk1iUjBtZEFxOS1pSlpZcnVfNl9VIn19.eyJhdWQiOiJodHRwczovL2lzc3V",
    "lci1wbGF5Z3JvdW5kLXNlcnZpY2UuaWdyYW50LmlvIiwiaWF0IjoxNzc5MjA0ODQ2LCJub25jZSI6Im1LQ3NsS0NXcWVjSWVxSllDNmtMUld",
    "PRWFGX1YwQSJ9.iRuI574fgt5iHn9RqbY8PZG8WSOhjqJBAasQTV4XcctrrXw_HuR1zsJMyZqysekVw4jdqr-A_7LJ__nTWXjj2g",
);

/// Key proof of wallet B: a `did:key` URL in `kid`, the same DID in `iss`.
pub(crate) const PROOF_B2: &str = concat!(
    "eyJraWQiOiJkaWQ6a2V5OnoyZG16RDgxY2dQeDhWa2k3SmJ1dU1tRllyV1BnWW95dHlrVVozZXlxaHQxajlLYnFNZlRORER1S0RLZ1FNdkV6",
    "VkhiVmFQWVdXSmtwZDczdDJwUXFOam9uSHlCWGI3MnJxRTNoeEdMM1pKYlVzYkJCWWtkTG9FNmhSNnU4Rjh1S3FIV1JiZFFpYTE0dDl4Umhl",
    "RlVMRFhZNjNYRU5oeGNGTFJNOFJYUWNzQmJvaVU1YnIjejJkbXpEODFjZ1B4OFZraTdKYnV1TW1GWXJXUGdZb3l0eWtVWjNleXFodDFqOUti",
    "cU1mVE5ERHVLREtnUU12RXpWSGJWYVBZV1dKa3BkNzN0MnBRcU5qb25IeUJYYjcycnFFM2h4R0wzWkpiVXNiQkJZa2RMb0U2aFI2dThGOHVL",
    "cUhXUmJkUWlhMTR0OXhSaGVGVUxEWFk2M1hFTmh4Y0ZMUk04UlhRY3NCYm9pVTViciIsInR5cCI6Im9wZW5pZDR2Y2ktcHJvb2Yrand0Iiwi",
    "YWxnIjoiRVMyNTYifQ.eyJhdWQiOiJodHRwczovL2FwaS5wbGF5Z3JvdW5kLmZyYW5jZS1pZGVudGl0ZS5nb3V2LmZyL2lncmFudGlvL2lzc",
    "3Vlci1iYWNrZW5kIiwiaXNzIjoiZGlkOmtleTp6MmRtekQ4MWNnUHg4VmtpN0pidXVNbUZZcldQZ1lveXR5a1VaM2V5cWh0MWo5S2JxTWZUT",
    "kREdUtES2dRTXZFelZIYlZhUFlXV0prcGQ3M3QycFFxTmpvbkh5QlhiNzJycUUzaHhHTDNaSmJVc2JCQllrZExvRTZoUjZ1OEY4dUtxSFdSY",
    "mRRaWExNHQ5eFJoZUZVTERYWTYzWEVOaHhjRkxSTThSWFFjc0Jib2lVNWJyIiwiaWF0IjoxNzgxMjY2MDU4LCJub25jZSI6ImNPSzVRZU5SY",
    "kFNYlhjZkNIMWJpWjhxNjgtNXpkdyJ9.XFtCyrwWd-AlGF67OlFsoRaysibDwVXzhFPhdO82jGZ3uLBH8EDK5e7oRB9l9Rn8CvHakR8w5d5L",
    "fnmhKG3log",
);
