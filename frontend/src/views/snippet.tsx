import { CopyButton } from './copy_button';

/** Code to paste, with a button that does it. */
export function Snippet({ code, what }: { code: string; what: string }) {
  return (
    <div class="snippet">
      <div class="snippet-head">
        <span class="muted">Keras</span>
        <CopyButton text={code} what={what} />
      </div>
      <pre>{code.trimEnd()}</pre>
    </div>
  );
}
