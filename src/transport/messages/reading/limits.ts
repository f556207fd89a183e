// What one request may contain. These limits bound the cost of reading, so they are far above what any procedure accepts: a request that
// exceeds a limit of a procedure gets the specific error of that procedure.

/**
 * Bytes of the Structs of a message, as compact JSON. A valid `ect_ext` has at most 4,096 bytes; larger ones are read up to this limit,
 * so that an item of a batch can be rejected alone.
 */
export const MAX_STRUCT_BYTES = 16_384;

/** Messages up to this size are read without slices, which takes about 10 ms at most. */
export const SYNC_BYTES = 64 * 1024;
