/** A file that cannot be booted; the message says why and what to do. */
export class ImageError extends Error {}
