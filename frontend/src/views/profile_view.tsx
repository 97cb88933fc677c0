/** Norm against depth at the crosshair's step, of one run or of several. */

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { pointIn, prepareCanvas } from '../charts/canvas';
import { paletteOf } from '../charts/palette';
import { layerAt, layoutProfile, paintProfile } from '../charts/profile_paint';
import { describeNorm, profileAt } from '../data/norms';
import type { Norms } from '../data/norms';
import { formatStep } from '../data/steps';
import { useWidth } from '../hooks/size';
import { Exports } from './exports';
import type { Shared } from './shared';

interface Props extends Pick<Shared, 'theme' | 'crosshair'> {
  /** The run itself first; null: this run has no norms. */
  norms: readonly (Norms | null)[];
  names: readonly string[];
  layer: string;
  height: number;
  fileName: string;
  onOpen: (layer: string) => void;
}

export function ProfileView(props: Props) {
  const { norms, names, layer, height, theme, crosshair, fileName, onOpen } = props;
  const [host, width] = useWidth<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [step, setStep] = useState(crosshair.get());
  const [pointed, setPointed] = useState<number | null>(null);
  const palette = paletteOf(theme);
  const own = norms[0];
  const layers = own?.layers ?? [];

  useEffect(() => crosshair.subscribe(setStep), [crosshair]);
  const profiles = useMemo(
    () =>
      norms.map((one, i) => {
        const at = one && profileAt(one, step);
        const row = new Map(one?.layers.map((path, index) => [path, index]));
        const pick = <T,>(from: readonly T[], none: T): T[] =>
          layers.map((path) => from[row.get(path) ?? -1] ?? none);
        return {
          log10: pick(at?.log10 ?? [], null),
          codes: pick(at?.codes ?? [], 0),
          step: at?.step ?? null,
          colour: palette.lines[i % palette.lines.length] as string,
        };
      }),
    [norms, step, palette],
  );
  const plot = useMemo(
    () => layoutProfile(profiles, layers.length, width, height),
    [profiles, layers.length, width, height],
  );
  const selected = layers.indexOf(layer);
  useEffect(() => {
    const context = width > 0 && canvas.current && prepareCanvas(canvas.current, width, height);
    if (!context) return;
    paintProfile(context, plot, profiles, selected < 0 ? null : selected, pointed, palette);
  }, [plot, profiles, selected, pointed, palette]);

  if (!own) return null;
  const at = (event: MouseEvent): number => layerAt(plot, layers.length, pointIn(event)[0]);
  const read = pointed ?? (selected < 0 ? 0 : selected);
  const words = profiles.map((profile, i) => {
    const value = describeNorm(profile.codes[read] ?? 0, profile.log10[read] ?? null);
    return names.length > 1 ? `${names[i]}: ${value}` : value;
  });
  return (
    <div class="histogram" ref={host} data-testid="profile">
      <div class="histogram-head">
        <strong>‖gradient‖ by depth</strong>
        <span class="muted">{formatStep(profiles[0]?.step ?? 0)}, layers in forward order</span>
        <span class="spacer" />
        <Exports
          name={fileName}
          what="the depth profile"
          table={() => [
            ['layer', ...names.map((name) => `norm ${name}`)],
            ...layers.map((path, i) => [
              path,
              ...profiles.map(({ log10 }) => (log10[i] == null ? null : 10 ** log10[i])),
            ]),
          ]}
        />
      </div>
      <canvas
        ref={canvas}
        role="img"
        aria-label={`Gradient norm of ${layers.length} layers in forward order`}
        style={{ height: `${height}px` }}
        onMouseMove={(event) => setPointed(at(event))}
        onMouseLeave={() => setPointed(null)}
        onClick={(event) => {
          const path = layers[at(event)];
          if (path !== undefined) onOpen(path);
        }}
      />
      <p class="read-out note">
        {layers[read]} · {words.join(' · ')}
      </p>
    </div>
  );
}
