// The port of a page: the response to a plain GET over HTTP, outside of the calls.

/** The content of a page. */
export interface PageContent {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** For how many seconds caches may keep it; 0: it must not be cached. */
  readonly maxAgeSeconds: number;
}

export interface Page {
  readonly path: string;
  /** Whether web pages of any origin may read it in a browser. */
  readonly isOpen?: boolean;
  readonly read: () => PageContent | Promise<PageContent>;
}
