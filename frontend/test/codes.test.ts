import { describe, expect, test } from 'vitest';
import type { HeatmapReply } from '../src/contract';
import { decodeHeatmap, describeCode, levelOf, moreExtreme } from '../src/data/codes';

function reply(bytes: number[], rows: number, columns: number): HeatmapReply {
  return {
    steps: Array.from({ length: columns }, (_, i) => i + 1),
    wall_times: [],
    layers: Array.from({ length: rows }, (_, i) => `dense_${i}`),
    codes: btoa(String.fromCharCode(...bytes)),
    sick: [],
  };
}

describe('heatmap codes', () => {
  test('all 256 byte values survive base64', () => {
    const bytes = Array.from({ length: 256 }, (_, i) => i);
    expect([...decodeHeatmap(reply(bytes, 16, 16)).codes]).toEqual(bytes);
  });

  test('a reply with too few cells is refused with both counts', () => {
    expect(() => decodeHeatmap(reply([131, 131, 131], 2, 2))).toThrow(/3 cells.*need 4/);
  });

  test('levels follow (code - 131) / 31 decades', () => {
    expect(levelOf(131)).toBe(0);
    expect(levelOf(162)).toBe(1);
    expect(levelOf(38)).toBe(-3);
    expect(levelOf(255)).toBe(4);
    expect(levelOf(7)).toBe(-4);
  });

  test('the special codes have no level', () => {
    expect([0, 1, 2].map(levelOf)).toEqual([null, null, null]);
  });

  test('a NaN beats an exact zero, which beats any level, which beats what is not recorded', () => {
    expect(moreExtreme(2, 1)).toBe(1);
    expect(moreExtreme(1, 2)).toBe(1);
    expect(moreExtreme(255, 2)).toBe(2);
    expect(moreExtreme(131, 0)).toBe(131);
    expect(moreExtreme(0, 131)).toBe(131);
  });

  test('of two levels the one farther from healthy wins, in either direction', () => {
    expect(moreExtreme(131 + 20, 131 - 60)).toBe(131 - 60);
    expect(moreExtreme(131 + 70, 131 - 60)).toBe(131 + 70);
  });

  test('cells are described in words', () => {
    expect(describeCode(0)).toBe('not recorded');
    expect(describeCode(1)).toBe('NaN or Inf in the gradient');
    expect(describeCode(2)).toBe('gradient exactly zero');
    expect(describeCode(131)).toBe('healthy (0.0 decades)');
    expect(describeCode(38)).toBe('1/1,000 of the most sensitive layer (−3.0 decades)');
    expect(describeCode(162)).toBe('10× its own early norm (+1.0 decades)');
    expect(describeCode(7)).toBe('1/10,000 or less of the most sensitive layer (−4.0 decades)');
    expect(describeCode(255)).toBe('10,000× or more its own early norm (+4.0 decades)');
  });
});
