// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The devices of the KUnit tests of mm/hmm_dma.c. The IOMMU serves the platform
 * devices of these tests and no others.
 */
#include <kunit/device.h>
#include <kunit/platform_device.h>
#include <linux/dma-mapping.h>
#include <linux/platform_device.h>
#include <linux/string.h>

#include "hmm_dma_kunit.h"

struct device *hmm_dma_direct_device(struct kunit *test)
{
	struct device *dev = kunit_device_register(test, "hmm-dma-direct");

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	dev->dma_mask = &dev->coherent_dma_mask;
	/* Not what every architecture assumes of a device. */
	dev_set_dma_coherent(dev);
	KUNIT_ASSERT_EQ(test, 0, dma_set_mask_and_coherent(dev,
							   DMA_BIT_MASK(64)));
	return dev;
}

#ifdef CONFIG_IOMMU_DMA
struct hmm_dma_mock hmm_dma_mock;

static int mock_attach(struct iommu_domain *domain, struct device *dev,
		       struct iommu_domain *old)
{
	return 0;
}

static int mock_map_leaf(unsigned long iova, phys_addr_t paddr, size_t size,
			 int prot)
{
	size_t first = iova / MOCK_UNIT, i;

	for (i = first; i < first + size / MOCK_UNIT; i++) {
		if (hmm_dma_mock.pt[i].leaf)
			return -EADDRINUSE;
		hmm_dma_mock.pt[i].phys = paddr + (i - first) * MOCK_UNIT;
		hmm_dma_mock.pt[i].leaf = size;
		hmm_dma_mock.pt[i].prot = prot;
	}
	return 0;
}

static int mock_map_pages(struct iommu_domain *domain, unsigned long iova,
			  phys_addr_t paddr, size_t pgsize, size_t pgcount,
			  int prot, gfp_t gfp, size_t *mapped)
{
	size_t i;
	int ret;

	if (hmm_dma_mock.map_error && hmm_dma_mock.maps_left-- <= 0)
		return hmm_dma_mock.map_error;
	hmm_dma_mock.nr_maps++;
	for (i = 0; i < pgcount; i++) {
		ret = mock_map_leaf(iova + i * pgsize, paddr + i * pgsize,
				    pgsize, prot);
		if (ret)
			return ret;
		*mapped += pgsize;
	}
	return 0;
}

/* Stops at what is not mapped, and within a leaf; takes more to the end of one. */
static size_t mock_unmap_pages(struct iommu_domain *domain, unsigned long iova,
			       size_t pgsize, size_t pgcount,
			       struct iommu_iotlb_gather *gather)
{
	size_t done = 0, leaf, first;

	while (done < pgsize * pgcount) {
		first = (iova + done) / MOCK_UNIT;
		leaf = hmm_dma_mock.pt[first].leaf;
		if (!leaf || !IS_ALIGNED(iova + done, leaf))
			break;
		memset(&hmm_dma_mock.pt[first], 0,
		       leaf / MOCK_UNIT * sizeof(hmm_dma_mock.pt[first]));
		done += leaf;
	}
	return done;
}

static int mock_sync_map(struct iommu_domain *domain, unsigned long iova,
			 size_t size)
{
	hmm_dma_mock.nr_syncs++;
	return hmm_dma_mock.sync_error;
}

static phys_addr_t mock_iova_to_phys(struct iommu_domain *domain,
				     dma_addr_t iova)
{
	return hmm_dma_mock_phys(iova);
}

static void mock_free(struct iommu_domain *domain)
{
}

static const struct iommu_domain_ops mock_domain_ops = {
	.attach_dev	= mock_attach,
	.map_pages	= mock_map_pages,
	.unmap_pages	= mock_unmap_pages,
	.iotlb_sync_map	= mock_sync_map,
	.iova_to_phys	= mock_iova_to_phys,
	.free		= mock_free,
};

static struct iommu_domain *mock_domain_alloc(struct device *dev)
{
	hmm_dma_mock.domain = (struct iommu_domain){
		.pgsize_bitmap = hmm_dma_mock.sizes,
		.geometry = {
			.aperture_end = MOCK_PAGES * PAGE_SIZE - 1,
			.force_aperture = true,
		},
	};
	return &hmm_dma_mock.domain;
}

static bool mock_capable(struct device *dev, enum iommu_cap cap)
{
	return cap == IOMMU_CAP_CACHE_COHERENCY;
}

static struct iommu_device *mock_probe(struct device *dev)
{
	if (strncmp(dev_name(dev), "hmm-dma-iommu", strlen("hmm-dma-iommu")))
		return ERR_PTR(-ENODEV);
	return &hmm_dma_mock.iommu;
}

static int mock_domain_type(struct device *dev)
{
	return IOMMU_DOMAIN_DMA;
}

static const struct iommu_ops mock_ops = {
	.capable		= mock_capable,
	.domain_alloc_paging	= mock_domain_alloc,
	.probe_device		= mock_probe,
	.device_group		= generic_device_group,
	.def_domain_type	= mock_domain_type,
	.default_domain_ops	= &mock_domain_ops,
};

int hmm_dma_mock_init(struct kunit_suite *suite)
{
	int ret;

	ret = iommu_device_sysfs_add(&hmm_dma_mock.iommu, NULL, NULL,
				     "hmm-dma-test");
	if (ret)
		return ret;
	ret = iommu_device_register(&hmm_dma_mock.iommu, &mock_ops, NULL);
	if (ret)
		iommu_device_sysfs_remove(&hmm_dma_mock.iommu);
	return ret;
}

void hmm_dma_mock_exit(struct kunit_suite *suite)
{
	iommu_device_unregister(&hmm_dma_mock.iommu);
	iommu_device_sysfs_remove(&hmm_dma_mock.iommu);
}

/* The leaves of its IOMMU have @sizes, as in iommu_domain.pgsize_bitmap. */
struct device *hmm_dma_mock_device(struct kunit *test, unsigned long sizes)
{
	struct platform_device *pdev;

	hmm_dma_mock.sizes = sizes;
	hmm_dma_mock.nr_maps = 0;
	hmm_dma_mock.map_error = 0;
	hmm_dma_mock.maps_left = 0;
	hmm_dma_mock.sync_error = 0;
	/* A test that has failed may leave something behind. */
	memset(hmm_dma_mock.pt, 0, sizeof(hmm_dma_mock.pt));
	pdev = kunit_platform_device_alloc(test, "hmm-dma-iommu",
					   PLATFORM_DEVID_NONE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pdev);
	KUNIT_ASSERT_EQ(test, 0, kunit_platform_device_add(test, pdev));
	dev_set_dma_coherent(&pdev->dev);
	KUNIT_ASSERT_EQ(test, 0, dma_set_mask_and_coherent(&pdev->dev,
							   DMA_BIT_MASK(64)));
	KUNIT_ASSERT_PTR_EQ(test, &hmm_dma_mock.domain,
			    iommu_get_domain_for_dev(&pdev->dev));
	return &pdev->dev;
}

static bool mock_in_aperture(dma_addr_t addr)
{
	return addr < MOCK_PAGES * PAGE_SIZE;
}

/* Where the IOMMU leads @addr to; 0: nowhere. */
phys_addr_t hmm_dma_mock_phys(dma_addr_t addr)
{
	if (!mock_in_aperture(addr))
		return 0;
	return hmm_dma_mock.pt[addr / MOCK_UNIT].phys;
}

/* The size of the leaf that does so. */
size_t hmm_dma_mock_leaf(dma_addr_t addr)
{
	if (!mock_in_aperture(addr))
		return 0;
	return hmm_dma_mock.pt[addr / MOCK_UNIT].leaf;
}

int hmm_dma_mock_prot(dma_addr_t addr)
{
	return hmm_dma_mock.pt[addr / MOCK_UNIT].prot;
}

/* How many pages are mapped, each wholly. */
int hmm_dma_mock_nr_mapped(void)
{
	int i, nr = 0;

	for (i = 0; i < MOCK_UNITS; i++)
		nr += !!hmm_dma_mock.pt[i].leaf;
	return nr / (int)(PAGE_SIZE / MOCK_UNIT);
}
#endif /* CONFIG_IOMMU_DMA */
