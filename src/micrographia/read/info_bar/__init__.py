"""The bar that scanning electron microscopes burn into their pictures: scale, beam energy, detector, date."""
