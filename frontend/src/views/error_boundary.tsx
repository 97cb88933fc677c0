/** Keeps a fault in one panel from blanking the page. */

import { Component } from 'preact';
import type { ComponentChildren } from 'preact';
import { ErrorPanel } from './error_panel';

interface Props {
  what: string;
  children: ComponentChildren;
}

export class ErrorBoundary extends Component<Props, { error: Error | null }> {
  override state = { error: null as Error | null };

  static override getDerivedStateFromError(error: unknown): { error: Error } {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override render(): ComponentChildren {
    const { error } = this.state;
    if (!error) return this.props.children;
    return (
      <ErrorPanel
        what={this.props.what}
        error={error}
        onRetry={() => this.setState({ error: null })}
      />
    );
  }
}
