// Times in claims: NumericDate (RFC 7519), whole seconds only.

/** 9999-12-31T23:59:59Z: the last second that RFC 3339, and so a Timestamp of the API, can represent. */
export const LAST_SECOND = 253_402_300_799;
