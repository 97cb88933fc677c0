/** TensorBoard's iframe imports this module and calls `render()`; an exception would blank it. */

import { render as renderInto } from 'preact';
import { App } from './app';
import { currentTheme } from './host/theme';
import baseStyle from './styles/base.css?inline';
import dashboardStyle from './styles/dashboard.css?inline';
import findingsStyle from './styles/findings.css?inline';
import { ErrorBoundary } from './views/error_boundary';

function mount(): void {
  // The host's document has neither, and screen readers need both.
  document.documentElement.lang = 'en';
  document.title = 'Gradients';
  document.documentElement.dataset['theme'] = currentTheme();
  const style = document.createElement('style');
  style.textContent = [baseStyle, dashboardStyle, findingsStyle].join('\n');
  document.head.append(style);
  const root = document.createElement('div');
  root.id = 'gradients';
  document.body.append(root);
  renderInto(
    <ErrorBoundary what="The dashboard">
      <App />
    </ErrorBoundary>,
    root,
  );
}

export function render(): void {
  try {
    mount();
  } catch (error) {
    const message = document.createElement('p');
    message.setAttribute('role', 'alert');
    message.textContent = `The Gradients dashboard could not start: ${String(error)}`;
    document.body.append(message);
    throw error;
  }
}
