/** Live growth: one small request at times, and everything else only when that has changed. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { getRuns, isFile } from '../api';
import type { RunSummary } from '../contract';
import { isVisible, startPolling } from '../host/polling';
import type { Poll } from '../host/polling';
import { listenToReload } from '../host/reload';
import { useResource } from './resource';
import type { Resource } from './resource';

export interface LiveRuns {
  runs: Resource<RunSummary[]>;
  /** Grows when TensorBoard says that it has read its log directory again. */
  reloads: number;
  /** When the list last came, milliseconds. */
  updated: number | null;
  paused: boolean;
  setPaused: (paused: boolean) => void;
}

export function useLiveRuns(): LiveRuns {
  const [asked, setAsked] = useState(0);
  const [reloads, setReloads] = useState(0);
  const [paused, setPaused] = useState(isFile);
  const poll = useRef<Poll | null>(null);
  const updated = useRef<number | null>(null);
  const last = useRef('');
  const runs = useResource('runs', asked, async (signal) => {
    const reply = await getRuns(signal);
    updated.current = Date.now();
    const text = JSON.stringify(reply);
    if (text !== last.current) poll.current?.changed();
    last.current = text;
    return reply;
  });

  useEffect(() => {
    if (paused) return undefined;
    const ask = (): void => setAsked((n) => n + 1);
    poll.current = startPolling(ask);
    const stopListening = listenToReload(() => {
      // Hidden plugins hear of reloads too; the poll catches up when this one is shown.
      if (!isVisible()) return;
      setReloads((n) => n + 1);
      ask();
    });
    return () => {
      poll.current?.stop();
      stopListening();
    };
  }, [paused]);
  return { runs, reloads, updated: updated.current, paused, setPaused };
}
