/** The frame of every panel: title, badge for stale data, and its states. */

import type { ComponentChildren } from 'preact';
import type { Resource } from '../hooks/resource';
import { ErrorBoundary } from './error_boundary';
import { ErrorPanel } from './error_panel';

interface Props<T> {
  title: string;
  /** Names the panel in errors: "The heatmap". */
  what: string;
  resource: Resource<T>;
  /** Final height of the content, so that nothing moves when the data arrives. */
  skeletonHeight: number;
  /** Hides the title where the content says it already. */
  quiet?: boolean;
  aside?: ComponentChildren;
  testid?: string;
  children: (data: T) => ComponentChildren;
}

export function Panel<T>(props: Props<T>) {
  const { title, what, resource, skeletonHeight, quiet = false, aside, testid, children } = props;
  const { data, error, loading, retry } = resource;
  return (
    <section class="panel" aria-label={title} aria-busy={loading} data-panel data-testid={testid}>
      <div class={quiet ? 'panel-head quiet' : 'panel-head'}>
        <h2 class={quiet ? 'visually-hidden' : ''}>{title}</h2>
        {data !== null && error && <span class="badge stale">not up to date</span>}
        {aside}
      </div>
      {error && <ErrorPanel what={what} error={error} stale={data !== null} onRetry={retry} />}
      {data !== null ? (
        <ErrorBoundary what={what}>{children(data)}</ErrorBoundary>
      ) : (
        !error && <div class="skeleton" style={{ height: `${skeletonHeight}px` }} />
      )}
    </section>
  );
}
