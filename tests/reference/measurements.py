#!/usr/bin/env python3
"""Measures phantoms with scikit-image, as the reference of `tests/it/measure_reference.rs`.

    cellgate dataset phantom --out phantoms --n-fields 2
    python3 tests/reference/measurements.py phantoms tests/fixtures/reference

Reads `original/NAME.png` and `masks/NAME_mask.png` below the first folder, writes `NAME.csv` to the
second, with the column names of `nuclei.csv`. Where scikit-image has no such property, the number
comes from numpy or scipy by the definition in `crates/core/src/measure/catalog.rs`; nothing here is
taken from cellgate. Undefined is empty.
"""

import csv
import math
import sys
from pathlib import Path

import numpy as np
import scipy
import skimage
from scipy.ndimage import distance_transform_edt
from scipy.spatial import ConvexHull
from skimage.io import imread
from skimage.measure import find_contours, regionprops
from skimage.morphology import convex_hull_image

VERSIONS = {"scikit-image": "0.26.0", "numpy": "2.4.6", "scipy": "1.17.1"}
FIELDS = ["fluorescence-2", "he-1", "ihc-hdab-1"]
STAINS = {
    "hematoxylin": [0.65, 0.70, 0.29],
    "dab": [0.27, 0.57, 0.78],
    "eosin": [0.2159, 0.8012, 0.5581],
}
SECOND_STAIN = {"he": "eosin", "ihc": "dab"}


def channels(field, image):
    """Brightness of a gray image, or amounts of two stains of a color image."""
    if image.ndim == 2:
        return {"gray": image / np.iinfo(image.dtype).max}
    density = np.maximum(0, -np.log10(np.maximum(image[..., :3], 1) / 255))
    names = ["hematoxylin", SECOND_STAIN[field.split("-")[0]]]
    vectors = [np.array(STAINS[name]) / np.linalg.norm(STAINS[name]) for name in names]
    third = np.cross(*vectors)
    matrix = np.array([*vectors, third / np.linalg.norm(third)])
    amounts = density @ np.linalg.inv(matrix)
    return {f"{name}_od": amounts[..., index] for index, name in enumerate(names)}


def feret_min(region):
    """Smallest caliper width of the outline that gives `feret_diameter_max`."""
    hull = np.pad(convex_hull_image(region.image), 2, mode="constant")
    points = np.vstack(find_contours(hull, 0.5, fully_connected="high"))
    corners = points[ConvexHull(points).vertices]
    edges = np.roll(corners, -1, axis=0) - corners
    normals = np.stack([-edges[:, 1], edges[:, 0]], axis=1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    heights = corners @ normals.T
    return (heights.max(axis=0) - heights.min(axis=0)).min()


def shape(region, size):
    y0, x0, y1, x1 = region.bbox
    touches = y0 == 0 or x0 == 0 or y1 == size[0] or x1 == size[1]
    perimeter = region.perimeter
    radii = distance_transform_edt(np.pad(region.image, 1))[1:-1, 1:-1][region.image]
    row = {
        "label": region.label,
        "centroid_x_px": region.centroid[1],
        "centroid_y_px": region.centroid[0],
        "bbox_x0_px": x0,
        "bbox_y0_px": y0,
        "bbox_x1_px": x1,
        "bbox_y1_px": y1,
        "area_px2": region.area,
        "perimeter_px": perimeter,
        "circularity": 4 * math.pi * region.area / perimeter**2 if perimeter > 0 else None,
        "axis_major_px": region.axis_major_length,
        "axis_minor_px": region.axis_minor_length,
        "eccentricity": region.eccentricity,
        "orientation_rad": region.orientation,
        "equivalent_diameter_px": region.equivalent_diameter_area,
        "solidity": region.solidity,
        "extent": region.extent,
        "feret_max_px": region.feret_diameter_max,
        "feret_min_px": feret_min(region),
        "euler_number": region.euler_number,
        "touches_border": int(touches),
        "perimeter_crofton_px": region.perimeter_crofton,
        "radius_max_px": radii.max(),
        "radius_mean_px": radii.mean(),
        "radius_median_px": np.median(radii),
    }
    row.update({f"hu_{index + 1}": moment for index, moment in enumerate(region.moments_hu)})
    return row


def intensity(name, values):
    low, middle, high = np.percentile(values, [25, 50, 75])
    statistics = {
        "mean": values.mean(),
        "std": values.std(),
        "min": values.min(),
        "max": values.max(),
        "sum": values.sum(),
        "median": middle,
        "q25": low,
        "q75": high,
    }
    return {f"{name}_{ending}": value for ending, value in statistics.items()}


def text(value):
    if value is None:
        return ""
    return str(value) if isinstance(value, (int, np.integer)) else f"{float(value):.14g}"


def measure(folder, out, field):
    image = imread(folder / "original" / f"{field}.png")
    labels = imread(folder / "masks" / f"{field}_mask.png").astype(np.int32)
    rows = []
    for region in regionprops(labels):
        row = shape(region, labels.shape)
        inside = tuple(region.coords.T)
        for name, channel in channels(field, image).items():
            row.update(intensity(name, channel[inside]))
        rows.append(row)
    with open(out / f"{field}.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows[0])
        writer.writerows([text(value) for value in row.values()] for row in rows)


def main():
    found = {module.__name__: module.__version__ for module in (np, scipy)}
    found["scikit-image"] = skimage.__version__
    if found != VERSIONS:
        sys.exit(f"needs {VERSIONS}, found {found}")
    folder, out = map(Path, sys.argv[1:])
    for field in FIELDS:
        measure(folder, out, field)


if __name__ == "__main__":
    main()
