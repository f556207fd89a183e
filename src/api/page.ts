// A page beside the calls: what answers a plain GET over HTTP.

/** What a page answers. */
export interface PageContent {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** Seconds for which it may be cached; 0: it must not be cached. */
  readonly maxAgeSeconds: number;
}

export interface Page {
  readonly path: string;
  /** Whether it is public, and pages of any origin may read it in a browser. */
  readonly isOpen?: boolean;
  readonly read: () => PageContent | Promise<PageContent>;
}
