/** The dock of an open layer: its head, the choice of its variable, and its pictures. */

import { useState } from 'preact/hooks';
import type { Crosshair } from '../data/crosshair';
import type { Finding, Layer, LayerReply } from '../contract';
import type { StepDomain } from '../data/steps';
import type { Theme } from '../host/theme';
import type { Resource } from '../hooks/resource';
import { DetailHead } from './detail_head';
import { DETAIL_HEIGHT, LayerDetail } from './layer_detail';
import { Panel } from './panel';
import { VariablePicker } from './variable_picker';

interface Props {
  path: string;
  layer: Layer | undefined;
  order: readonly string[];
  resource: Resource<LayerReply>;
  findings: readonly Finding[];
  domain: StepDomain;
  left: number;
  theme: Theme;
  crosshair: Crosshair;
  onSelect: (layer: string | null) => void;
}

/** The variable that says most: the kernel, else the first. */
export function mainVariable(reply: LayerReply): string | null {
  const { variables } = reply;
  return (variables.find(({ role }) => role === 'kernel') ?? variables[0])?.path ?? null;
}

export function DetailPanel(props: Props) {
  const { path, layer, order, resource, onSelect, findings, domain, left, theme, crosshair } =
    props;
  const [chosen, setChosen] = useState<string | null>(null);
  const reply = resource.data;
  const known = reply?.variables.some((variable) => variable.path === chosen);
  const variable = known ? chosen : reply && mainVariable(reply);
  return (
    <div class="detail" data-testid="layer-detail" data-layer={path}>
      <Panel
        title={`Layer ${path}`}
        quiet
        what="The layer’s detail"
        resource={resource}
        skeletonHeight={DETAIL_HEIGHT}
        aside={
          <DetailHead path={path} layer={layer} order={order} onSelect={onSelect}>
            {reply && variable && (
              <VariablePicker
                variables={reply.variables}
                selected={variable}
                onSelect={setChosen}
              />
            )}
          </DetailHead>
        }
      >
        {(data) => (
          <LayerDetail
            reply={data}
            variable={data.variables.find((one) => one.path === variable)}
            findings={findings}
            domain={domain}
            left={left}
            theme={theme}
            crosshair={crosshair}
          />
        )}
      </Panel>
    </div>
  );
}
