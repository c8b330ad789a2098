import { z } from "@hono/zod-openapi";
import { eventItem } from "../read/event_json.ts";
import type { Chain, Link, LinkedEvent } from "./chain_search.ts";

const chainNode = eventItem.omit({ payload: true }).partial().extend({
  node: z.int().describe("Its place in `nodes`"),
  parent: z.int().nullable().describe("The place of its cause; null for the root"),
  depth: z.int().describe("Steps from the root"),
  id: z.string(),
  missing: z.literal(true).optional().describe(
    "The log has no such event (removed, or of another host), or none that this key may see",
  ),
  truncated: z.literal(true).optional().describe("It caused more than is shown here"),
  cycle: z.literal(true).optional().describe(
    "Its cause, or an effect, is left out here: it stands in the tree already",
  ),
}).openapi("ChainNode");

/** A tree of causes as the API shows it: a flat list, so that any depth can be read and drawn line by line. */
export const chainItem = z.object({
  root: z.string().describe("Id of the first cause that was found"),
  asked: z.int().describe("Place in `nodes` of the event that was asked for; those before it led to it"),
  nodes: z.array(chainNode).describe("The root first, each event behind its cause"),
  truncated: z.object({
    causes: z.boolean().describe("There are causes above the root: ask for it, or with a larger `depth`"),
    effects: z.boolean().describe(
      "Some nodes are `truncated`: ask for one, or with a larger `depth` or `limit`",
    ),
  }),
}).openapi("Chain");

type ChainNode = z.output<typeof chainNode>;

/** The JSON of a tree. */
export function chainJson({ root, depth, causesTruncated }: Chain): z.output<typeof chainItem> {
  const nodes: ChainNode[] = [];
  const add = (link: Link, place: { parent: number | null; depth: number }) => {
    const node = nodes.length;
    nodes.push({
      node,
      ...place,
      id: link.id,
      ...(link.event ? summary(link.event) : { missing: true }),
      ...(link.truncated ? { truncated: true } : {}),
      ...(link.cycle ? { cycle: true } : {}),
    });
    for (const effect of link.effects) add(effect, { parent: node, depth: place.depth + 1 });
  };
  add(root, { parent: null, depth: 0 });
  const truncated = { causes: causesTruncated, effects: nodes.some((node) => node.truncated) };
  return { root: root.id, asked: depth, nodes, truncated };
}

function summary(event: LinkedEvent) {
  return {
    seq: event.seq,
    subject: event.subject,
    type: event.type,
    origin: { node_id: event.node_id, service: event.service, user: event.user_name },
    project: event.project,
    correlation_id: event.correlation_id,
    causation_id: event.causation_id,
    timestamp: event.time,
  };
}
