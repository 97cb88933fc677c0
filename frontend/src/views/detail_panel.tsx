/** The dock of an open layer: its head, what to show of it, and its pictures. */

import type { Layer, LayerReply } from '../contract';
import type { View } from '../host/location';
import type { Resource } from '../hooks/resource';
import { Choice } from './choice';
import { DetailHead } from './detail_head';
import { DETAIL_HEIGHT, LayerDetail } from './layer_detail';
import type { DetailContext } from './layer_detail';
import { Panel } from './panel';

interface Props extends DetailContext {
  path: string;
  layer: Layer | undefined;
  order: readonly string[];
  resource: Resource<LayerReply>;
}

const PICTURES: readonly (readonly [View['picture'], string])[] = [
  ['histogram', 'histograms'],
  ['map', 'gradient map'],
  ['profile', 'depth profile'],
];

/** The variable that says most: the kernel, else the first. */
export function mainVariable(reply: LayerReply): string | null {
  const { variables } = reply;
  return (variables.find(({ role }) => role === 'kernel') ?? variables[0])?.path ?? null;
}

export function DetailPanel(props: Props) {
  const { path, layer, order, resource, view, set, onOpen } = props;
  const reply = resource.data;
  const known = reply?.variables.some((variable) => variable.path === view.variable);
  const variable = known ? view.variable : reply && mainVariable(reply);
  return (
    <div class="detail" data-testid="layer-detail" data-layer={path}>
      <Panel
        title={`Layer ${path}`}
        quiet
        what="The layer’s detail"
        resource={resource}
        skeletonHeight={DETAIL_HEIGHT}
        aside={
          <DetailHead path={path} layer={layer} order={order} onSelect={onOpen}>
            <Choice
              label="Picture"
              testid="picture"
              value={view.picture}
              options={PICTURES}
              onChange={(picture) => set({ picture })}
            />
            {reply && variable !== null && (
              <Choice
                label="Variable"
                testid="variable-picker"
                value={variable}
                options={reply.variables.map(({ path: name, shape }) => [
                  name,
                  `${name.split('/').at(-1) ?? name} (${shape.length > 0 ? shape.join(' × ') : 'scalar'})`,
                ])}
                onChange={(next) => set({ variable: next })}
              />
            )}
          </DetailHead>
        }
      >
        {(data) => (
          <LayerDetail
            {...props}
            reply={data}
            variable={data.variables.find((one) => one.path === variable)}
          />
        )}
      </Panel>
    </div>
  );
}
