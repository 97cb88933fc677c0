import { useState } from 'preact/hooks';

const CONFIRMATION_MS = 2000;

/** Without https the Clipboard API is missing: TensorBoard on another host is plain http. */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    area.style.position = 'fixed';
    area.style.opacity = '0';
    document.body.append(area);
    area.select();
    const copied = document.execCommand('copy');
    area.remove();
    return copied;
  }
}

export function CopyButton({ text, what }: { text: string; what: string }) {
  const [state, setState] = useState<'' | 'Copied' | 'Not allowed'>('');
  const copy = async (): Promise<void> => {
    setState((await copyText(text)) ? 'Copied' : 'Not allowed');
    window.setTimeout(() => setState(''), CONFIRMATION_MS);
  };
  return (
    <button type="button" class="copy" aria-label={`Copy ${what}`} onClick={() => void copy()}>
      <span aria-live="polite">{state || 'Copy'}</span>
    </button>
  );
}
