import { ApiError } from '../api';

interface Props {
  what: string;
  error: Error;
  /** Older data is still shown. */
  stale?: boolean;
  onRetry: () => void;
}

/** What failed, where, and a way to try again. */
export function ErrorPanel({ what, error, stale = false, onRetry }: Props) {
  const where =
    error instanceof ApiError
      ? `${error.endpoint} · ${error.status === null ? 'no answer' : `HTTP ${error.status}`}`
      : error.name;
  return (
    <div class="error-panel" role="alert" data-testid="error-panel">
      <div>
        <strong>
          {what} could not be {stale ? 'updated' : 'shown'}.
        </strong>{' '}
        {error.message}
        <div class="error-where">{where}</div>
      </div>
      <button type="button" onClick={onRetry}>
        Retry
      </button>
    </div>
  );
}
