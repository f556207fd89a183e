import { describe, expect, test } from 'vitest';
import { median, percentile } from '../../bench/statistics.ts';

describe('medians and percentiles', () => {
  test('the median is the middle value whatever the order, and does not sort its argument', () => {
    const values = [9, 1, 5];
    expect(median(values)).toBe(5);
    expect(values).toEqual([9, 1, 5]);
  });

  test('the median of an even number of values is the mean of the two in the middle', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  test('one slow round does not move the median', () => {
    expect(median([100, 101, 3])).toBe(100);
  });

  test('a percentile is a value that was measured, by nearest rank', () => {
    const values = Array.from({ length: 100 }, (_, place) => 100 - place);
    expect(percentile(values, 0.5)).toBe(50);
    expect(percentile(values, 0.99)).toBe(99);
    expect(percentile(values, 1)).toBe(100);
  });

  test('numbers are compared as numbers', () => {
    expect(percentile([10, 9, 100], 1)).toBe(100);
    expect(median([10, 9, 100])).toBe(10);
  });

  test('nothing measured is NaN, never zero', () => {
    expect(median([])).toBeNaN();
    expect(percentile([], 0.99)).toBeNaN();
  });
});
