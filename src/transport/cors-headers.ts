// Lets pages of allowed origins read responses (CORS).

import type { BrowserRules } from './browser-rules.ts';
import type { Handle } from './routed-request.ts';

export function readableByPages(handle: Handle, browsers: BrowserRules): Handle {
  return (request, evict) => {
    const origin = request.header.get('origin') ?? undefined;
    const fields = Object.entries(browsers.fieldsFor(origin));
    const call = handle(request, evict);
    if (fields.length === 0) return call;
    const response = call.response.then((answer) => {
      const header = new Headers(answer.header);
      // A response that any page may read stays public.
      const isOpen = header.get('access-control-allow-origin') === '*';
      for (const [name, value] of fields) if (!isOpen || name === 'vary') header.set(name, value);
      return { ...answer, header };
    });
    return { response, close: () => call.close() };
  };
}
