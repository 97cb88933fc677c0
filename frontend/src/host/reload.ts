/** TensorBoard's reload button and timer reach plugins as messages over a port that we offer. */

import { parentWindow } from './parent';

interface Message {
  type: string;
  id: number;
  payload: unknown;
  error: string | null;
  isReply: boolean;
}

/** Calls `onReload` whenever TensorBoard has read its log directory again. */
export function listenToReload(onReload: () => void): () => void {
  if (!parentWindow()) return () => {};
  const { port1, port2 } = new MessageChannel();
  port1.addEventListener('message', (event: MessageEvent<string>) => {
    const message = JSON.parse(event.data) as Message;
    if (message.isReply) return;
    if (message.type === 'experimental.DataReloaded') onReload();
    // The host waits for an answer to everything it sends.
    const reply: Message = { ...message, payload: null, error: null, isReply: true };
    port1.postMessage(JSON.stringify(reply));
  });
  port1.start();
  window.parent.postMessage('experimental.bootstrap', '*', [port2]);
  return () => port1.close();
}
